/*
 * Check for tests that claim things a million times. A claim that holds otherwise writes its
 * place to a pipe, so that a crash can be told to have come after it: here it costs nothing,
 * and a crash is told at the beginning of its test.
 */
#pragma once

#include <check.h>

#define _mark_point(file, line) ((void)0)
