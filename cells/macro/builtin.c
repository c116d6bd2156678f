#include "builtin.h"

static const char *const namespaces[] = { "cell", NULL };

static const struct cell_macro_argument note_arguments[] = {
	{ "text", MACRO_VALUE_KIND_STRING, .is_positional = true, .is_required = true,
	  .doc = "What to remember." },
	{ 0 },
};

static const struct cell_macro macros[] = {
	{ "note", .doc = "A note to whoever reads the source.\nIt adds nothing.",
	  .places = CELL_MACRO_BIT(MACRO_PLACE_FILE) | CELL_MACRO_BIT(MACRO_PLACE_STRUCT) |
		    CELL_MACRO_BIT(MACRO_PLACE_FUNCTION) | CELL_MACRO_BIT(MACRO_PLACE_PROTOTYPE) |
		    CELL_MACRO_BIT(MACRO_PLACE_MEMBER),
	  .is_repeatable = true, .arguments = note_arguments },
	{ 0 },
};

const struct cell_macro_provider cell_builtin = { .namespaces = namespaces, .macros = macros };
void *cell_builtin_self;
