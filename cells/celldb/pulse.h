/*
 * What the writing thread lets the reading one know, without a lock.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct pulse {
	_Atomic uint64_t commits; /* of the store: who reads begins anew if it has moved */
	_Atomic uint64_t catalog; /* odd while a changed catalog is being committed */
	_Atomic uint64_t seal;    /* moves when there is a new key for encrypted columns */
};
