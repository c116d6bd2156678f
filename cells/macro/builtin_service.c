#include "builtin_part.h"

#include <cell/cell.h>
#include <string.h>

/*
 * cell::service: which service the handlers of a file belong to. On a struct it is the
 * service's state, and leaves a record of its size; at file scope it only says so.
 */

bool is_cell_name(const char *name)
{
	size_t len = strlen(name);

	return len >= 1 && len <= 63 && *name >= 'a' && *name <= 'z' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

const char *service_word(struct cell_macro_work *work, const char *name)
{
	char word[64];
	size_t i;

	for (i = 0; name[i] && i + 1 < sizeof word; i++)
		word[i] = name[i] == '-' ? '_' : name[i];
	word[i] = '\0';
	return cell_macro_printf(work, "%s", word);
}

const char *service_of_type(struct cell_macro_work *work, const struct macro_type *type)
{
	const struct macro_attribute *service = type ? type_attribute(type, "service") : NULL;

	return service ? cell_macro_text(work, service, "name", type->tag) : NULL;
}

int builtin_service_plan(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct macro_declaration *declaration = cell_macro_declaration(work);
	const struct macro_value *value = cell_macro_argument(work, mine, "name");
	const char *name = value ? value->text : declaration->name;

	if (declaration->place == MACRO_PLACE_FILE && !value)
		return cell_macro_refuse(work, mine, NULL,
					 "at file scope it needs a name: cell::service(\"bank\")");
	if (is_cell_name(name))
		return 0;
	(void)cell_macro_refuse(work, mine, value, "'%s' is no name of a service", name);
	cell_macro_note(work, "a name begins with a letter; a-z, 0-9 and '-' follow, 63 in all");
	return CELL_INVALID_ARGUMENT;
}

int builtin_service_expand(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct macro_declaration *declaration = cell_macro_declaration(work);
	const struct macro_type *type = cell_macro_type(work, declaration->type);
	struct cell_piece *piece;
	const char *name;

	if (declaration->place == MACRO_PLACE_FILE)
		return 0;
	name = cell_macro_text(work, mine, "name", declaration->name);
	piece = cell_piece(work, mine, MACRO_ANCHOR_END, MACRO_PIECE_KIND_ONCE);
	cell_piece_template(piece,
			    "__attribute__((weak)) const struct cell_linked_service cell_service_$word$ = {\n"
			    "\t.linked = { CELL_LINKED_SERVICE, sizeof(struct cell_linked_service) },\n"
			    "\t.service = \"$name$\",\n"
			    "\t.state_size = sizeof(struct $tag$),\n"
			    "\t.doc = ",
			    (const char *const[]){ "word", service_word(work, name), "name", name,
						   "tag", declaration->name, NULL });
	put_doc(piece, type ? type->doc : NULL);
	cell_piece_template(piece,
			    ",\n};\n"
			    "CELL_LINK(cell_service_$word$_link, cell_service_$word$);\n",
			    (const char *const[]){ "word", service_word(work, name), NULL });
	return 0;
}
