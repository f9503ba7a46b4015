"""The structure and content of an ISO: one bounded reader of descriptors, directories, El Torito and boot menus."""
