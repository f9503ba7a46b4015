"""The parts of a machine, one file each: a frozen dataclass, ``plan_*`` (pure), ``prepare`` and ``argv`` (pure).

A new part is a file here and its planner's line in :mod:`hiperiso.machine.plan`.
"""
