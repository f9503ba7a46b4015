"""What an ISO is and holds: one bounded reader of descriptors, directories, El Torito and boot menus."""
