/*
 * What the two programs of a node's figures agree on.
 */
#pragma once

#define NODE_IDLE_CELL  "idle"
#define NODE_CALL_CELLS 20 /* spawn-0, spawn-1, …: each is started by its first call */
