/* What an instance of greeter knows, and the table of its handlers. */
#pragma once

#include <stdint.h>

struct greeter_handlers;

struct greeter {
	uint64_t greetings; /* given so far */
};

/* One function per method of proto/greeter.proto; they take a struct greeter as `self`. */
extern const struct greeter_handlers greeter_handlers;
