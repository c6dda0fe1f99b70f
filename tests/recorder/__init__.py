"""Records which AWS calls each component makes, in the processes of the end-to-end tests.

`startup/sitecustomize.py` runs at the start of each Python process that has `startup` on its
PYTHONPATH. `calls.py` reads what it wrote, and names the resources as the templates do.
"""
