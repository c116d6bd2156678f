/*
 * Names: from those of a .proto file to those of C.
 */
#pragma once

#include <stdbool.h>

/* "HTTPRequest" → "http_request", "GreetMany" → "greet_many", "a-b" → "a_b". Taken memory. */
char *name_snake(const char *name);

/* The same in capitals. */
char *name_upper(const char *name);

/*
 * The component that names the cell: "greeter" of "cell.greeter.v1". A last component
 * that is a version (v1, v2beta3) does not count. NULL if there is none.
 */
char *name_package_noun(const char *package);

/* A name for a member: NAME, or NAME_ where C, C++ or a system header took it. */
const char *name_member(const char *name);

/*
 * The constant for VALUE of an enum whose C tag is TAG ("greeter_color"), which stands in
 * a package called PREFIX and is called NAME in the file: GREETER_COLOR_RED for RED as for
 * COLOR_RED and GREETER_COLOR_RED.
 */
char *name_constant(const char *prefix, const char *tag, const char *name, const char *value);
