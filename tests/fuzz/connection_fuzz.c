/* The peer of a connection lies; the input is its script (tests/lib/liar.h). */
#include "liar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	liar_run(data, size);
	return 0;
}
