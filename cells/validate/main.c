/* validate: guards on members of messages. All that it does is in macros.c. */
#include "validate.h"

int main(void)
{
	struct cell_call *call = cell_open("validate");
	int err = cell_provide_macros(call, &validate_provider, NULL);

	return cell_exit(call, err ? err : cell_loop_run(call));
}
