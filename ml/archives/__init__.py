"""Public archives on the web: finding missing files and downloading them."""
