"""The parts of a machine, one file each: a frozen dataclass, ``plan_*`` (pure), ``prepare`` and ``argv`` (pure).

A new part is a file here and a line for its planner in :mod:`hiperiso.machine.plan`.
"""
