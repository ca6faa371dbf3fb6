"""Path-X: Pathfinder with images of 128x128, read by `pathfinder`."""

from dataclasses import replace
from functools import partial

from neurossm_models.data.sets import pathfinder
from neurossm_models.data.task import Task

SOURCE = replace(
    pathfinder.SOURCE,
    name="pathx",
    about="128x128 dashed paths as 16384 steps, 2 classes (LRA Path-X)",
    task=Task(128 * 128, 1 / 255, 2),
    copies=pathfinder.copies("pathx"),
    read=partial(pathfinder.read, "pathx"),
)
