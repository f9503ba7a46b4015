"""NTFS in an image or device, read and written without a mount."""
