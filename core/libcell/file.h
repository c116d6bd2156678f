/*
 * Small files that are read whole: configuration, manifests, what the kernel tells in files.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * Read the start of the file at PATH into TEXT, SIZE bytes with the 0 that ends it. Never
 * blocks: a FIFO of that name must not hang who reads it. Returns the length, which is SIZE - 1
 * if there may be more, or -errno.
 */
ssize_t file_read(const char *path, char *text, size_t size);
