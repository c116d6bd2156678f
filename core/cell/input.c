#include "input.h"

#include <cell/cell.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE 65536

int input_open(struct input *input, struct cell_call *call, const char *arg)
{
	*input = (struct input){ .name = "request", .fd = -1 };
	if (strcmp(arg, "-") == 0) {
		input->name = "stdin";
		input->fd = STDIN_FILENO;
		return 0;
	}
	if (*arg == '@') {
		input->name = arg + 1;
		input->fd = open(arg + 1, O_RDONLY | O_CLOEXEC);
		return input->fd < 0
			       ? cell_refuse(call, -errno, "%s: %s", arg + 1, strerror(errno))
			       : 0;
	}
	input->text = strdup(arg);
	if (!input->text)
		return cell_refuse(call, -ENOMEM, "no memory for the request");
	input->len = input->size = strlen(arg);
	input->at_end = true;
	return 0;
}

void input_close(struct input *input)
{
	free(input->text);
	if (input->fd > STDIN_FILENO)
		(void)close(input->fd);
	*input = (struct input){ .fd = -1, .at_end = true };
}

/* Read once more, waiting if nothing is there yet. 0, or the error in CALL. */
static int read_more(struct input *input, struct cell_call *call)
{
	ssize_t n;
	int err;

	if (input->len + READ_SIZE > input->size) {
		size_t size = input->len + READ_SIZE > 2 * input->size
				      ? input->len + READ_SIZE
				      : 2 * input->size;
		char *text = realloc(input->text, size);

		if (!text)
			return cell_refuse(call, -ENOMEM, "no memory for the request");
		input->text = text;
		input->size = size;
	}
	/* Readable means that reading does not block, so the descriptor need not be changed.
	 */
	err = cell_wait_readable(call, input->fd);
	if (err)
		return err;
	n = read(input->fd, input->text + input->len, READ_SIZE);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n < 0)
		return cell_refuse(call, -errno, "%s: %s", input->name, strerror(errno));
	input->len += (size_t)n;
	input->at_end = n == 0;
	return 0;
}

int input_whole(struct input *input, struct cell_call *call, const char **ret_text,
		size_t *ret_len)
{
	while (!input->at_end) {
		int err = read_more(input, call);

		if (err)
			return err;
		if (input->len > INPUT_MAX)
			return cell_refuse(call, CELL_INVALID_ARGUMENT,
					   "%s: more than %zu MiB", input->name,
					   INPUT_MAX >> 20);
	}
	*ret_text = input->text ? input->text : "";
	*ret_len = input->len;
	return 0;
}

static bool is_blank(const char *text, size_t len)
{
	while (len && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	return len == 0;
}

int input_line(struct input *input, struct cell_call *call, const char **ret_text,
	       size_t *ret_len)
{
	size_t searched = 0;

	for (;;) {
		const char *end;
		size_t len;
		int err;

		/* What was given out last is no longer needed. */
		if (input->taken) {
			input->len -= input->taken;
			memmove(input->text, input->text + input->taken, input->len);
			input->taken = searched = 0;
		}
		end = input->len ? memchr(input->text + searched, '\n', input->len - searched)
				 : NULL;
		if (!end && !input->at_end) {
			searched = input->len;
			if (input->len > INPUT_MAX)
				return cell_refuse(call, CELL_INVALID_ARGUMENT,
						   "%s:%u: a line of more than %zu MiB",
						   input->name, input->line + 1,
						   INPUT_MAX >> 20);
			err = read_more(input, call);
			if (err)
				return err;
			continue;
		}
		if (input->len == 0)
			return INPUT_END;
		len = end ? (size_t)(end - input->text) : input->len;
		input->taken = len + (end != NULL);
		input->line++;
		if (is_blank(input->text, len))
			continue;
		*ret_text = input->text;
		*ret_len = len;
		return 0;
	}
}
