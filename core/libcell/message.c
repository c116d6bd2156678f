#include <cell/message.h>

#define FNV1A_BASIS 2166136261u
#define FNV1A_PRIME 16777619u

uint32_t cell_method_hash(const char *full_name)
{
	uint32_t hash = FNV1A_BASIS;

	for (; *full_name; full_name++) {
		hash ^= (uint8_t)*full_name;
		hash *= FNV1A_PRIME;
	}
	return hash ? hash : 1;
}
