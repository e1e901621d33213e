"""The predecessor's columns, for models that were trained on them."""
