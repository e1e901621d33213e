"""The search for hyper-parameters, inside the training block."""
