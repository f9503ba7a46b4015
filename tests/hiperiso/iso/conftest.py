from __future__ import annotations

from medium_trees import make_tree

__all__ = ["make_tree"]
