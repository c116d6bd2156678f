/*
 * Greet somebody through the cell greeter. With greeter.proto in this folder:
 *
 *	protoc --cell_out=. -I /usr/local/share/cell/proto greeter.proto
 *	cc -std=gnu2x -o greet greet.c greeter.cell.c $(pkg-config --cflags --libs cell)
 */
#include "greeter.cell.h"

#include <cell/cell.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct greeter_hello hello = { .name = argc > 1 ? argv[1] : "world" };
	struct greeter_greeting greeting;
	struct cell_call *call = cell_open("greet");
	int err = greeter_greet(call, &hello, &greeting);

	if (!err)
		printf("%s\n", greeting.text);
	/* Says what went wrong, if anything did, and gives the exit code for it. */
	return cell_exit(call, err);
}
