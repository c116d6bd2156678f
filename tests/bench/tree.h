/*
 * Folders that a benchmark made for itself.
 */
#pragma once

/* Remove PATH and all below it. What cannot be removed stays, in silence. */
void tree_remove(const char *path);
