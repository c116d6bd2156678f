#include "builtin_part.h"

#include <cell/cell.h>
#include <dlfcn.h>
#include <string.h>

/*
 * cell::handler: a function that answers a method; cell::start and cell::stop: functions that
 * run before the first call and after the last.
 *
 * A handler's body keeps its name. Around it stand, from outside: the entry that the runtime
 * calls, then the wrappers that admit a call (they see an undecoded request), the decoder,
 * and all others, which have the handler's own signature.
 */

struct signature {
	const struct macro_type *state; /* or NULL */
	const char *in;                 /* noun of the request's message; NULL = none */
	const char *out;
	bool in_streams, out_streams;
	const char *service;
	const char *method;             /* "Deposit" */
	const char *word;               /* "bank_deposit" */
};

/* --- the signature ---------------------------------------------------------------------- */

static int bad(struct cell_macro_work *work, const char *what)
{
	const char *name = cell_macro_declaration(work)->name;

	(void)cell_macro_refuse(work, NULL, NULL, "handler '%s': %s", name, what);
	cell_macro_note(work,
			"int %s(struct cell_call *, [state *,] [const request *,] [reply *])", name);
	cell_macro_note(work, "streams: struct X_source * as request, struct X_sink * as reply");
	return CELL_INVALID_ARGUMENT;
}

static bool takes_call(struct cell_macro_work *work)
{
	const struct macro_declaration *declaration = cell_macro_declaration(work);
	const struct macro_type *type =
		declaration->n_parameters
			? type_pointee(work, declaration->parameters[0].type)
			: NULL;

	return type && type->kind == MACRO_TYPE_KIND_STRUCT && strcmp(type->tag, "cell_call") == 0;
}

static bool returns_int(struct cell_macro_work *work)
{
	const struct macro_type *type =
		cell_macro_plain_type(work, cell_macro_declaration(work)->type);

	return type && type->kind == MACRO_TYPE_KIND_SIGNED && strcmp(type->spelling, "int") == 0;
}

/* "entry" of "entry_sink"; NULL if the tag ends otherwise. */
static const char *without(struct cell_macro_work *work, const char *tag, const char *ending)
{
	size_t len = strlen(tag), end = strlen(ending);

	if (len <= end || strcmp(tag + len - end, ending) != 0)
		return NULL;
	return cell_macro_printf(work, "%.*s", (int)(len - end), tag);
}

enum role { ROLE_STATE, ROLE_REQUEST, ROLE_REPLY, ROLE_SOURCE, ROLE_SINK, ROLE_OTHER };

/* What parameter INDEX is, and the noun of its message. */
static enum role role_of(struct cell_macro_work *work, size_t index, const char **ret_noun)
{
	const uint32_t at = cell_macro_declaration(work)->parameters[index].type;
	const struct macro_type *pointer = cell_macro_plain_type(work, at);
	const struct macro_type *type = type_pointee(work, at);
	const struct macro_type *seen;

	if (!type || type->kind != MACRO_TYPE_KIND_STRUCT)
		return ROLE_OTHER;
	if (type_attribute(type, "service"))
		return ROLE_STATE;
	if (type_attribute(type, "message")) {
		*ret_noun = message_noun(work, type);
		seen = cell_macro_type(work, pointer->element);
		return type->is_const || seen->is_const ? ROLE_REQUEST : ROLE_REPLY;
	}
	*ret_noun = without(work, type->tag, "_source");
	if (*ret_noun && !type->size)
		return ROLE_SOURCE;
	*ret_noun = without(work, type->tag, "_sink");
	return *ret_noun && !type->size ? ROLE_SINK : ROLE_OTHER;
}

static int other_parameter(struct cell_macro_work *work, size_t index)
{
	const struct macro_parameter *parameter = &cell_macro_declaration(work)->parameters[index];
	const struct macro_type *type = type_pointee(work, parameter->type);
	const char *spelling = cell_macro_type(work, parameter->type)->spelling;

	if (type && type->kind == MACRO_TYPE_KIND_STRUCT && type->size) {
		(void)cell_macro_refuse_member(work, parameter->name, "'struct %s' is no message",
					       type->tag);
		cell_macro_note(work, "write: struct [[cell::message]] %s {", type->tag);
		return CELL_INVALID_ARGUMENT;
	}
	return bad(work, cell_macro_printf(work, "'%s' is neither state, request nor reply",
					   spelling));
}

static int take(struct cell_macro_work *work, size_t index, struct signature *s)
{
	const size_t n = cell_macro_declaration(work)->n_parameters;
	const char *noun = NULL;
	enum role role = role_of(work, index, &noun);

	switch (role) {
	case ROLE_STATE:
		if (index != 1)
			return bad(work, "the state comes behind the call");
		s->state = type_pointee(work, cell_macro_declaration(work)->parameters[index].type);
		return 0;
	case ROLE_REQUEST:
	case ROLE_SOURCE:
		if (s->in || s->out)
			return bad(work, role == ROLE_SOURCE ? "the request comes before the reply"
							     : "the reply must not be const");
		s->in = noun;
		s->in_streams = role == ROLE_SOURCE;
		return 0;
	case ROLE_REPLY:
	case ROLE_SINK:
		if (s->out)
			return bad(work, "it has two replies");
		if (role == ROLE_REPLY && !s->in && index + 1 < n)
			return bad(work, "the request must be const");
		s->out = noun;
		s->out_streams = role == ROLE_SINK;
		return 0;
	case ROLE_OTHER:
	default: return other_parameter(work, index);
	}
}

static int parameters_read(struct cell_macro_work *work, struct signature *s)
{
	const struct macro_declaration *declaration = cell_macro_declaration(work);
	int r = 0;

	if (!returns_int(work))
		return bad(work, "it returns int: 0, or negative");
	if (!takes_call(work))
		return bad(work, "its first parameter is the call");
	if (declaration->is_variadic)
		return bad(work, "it takes no '...'");
	for (size_t i = 1; i < declaration->n_parameters && r == 0; i++)
		r = take(work, i, s);
	return r;
}

/* --- which service ---------------------------------------------------------------------- */

static int service_find(struct cell_macro_work *work, const struct macro_attribute *mine,
			struct signature *s)
{
	const struct macro_plan_request *request = cell_macro_request(work);
	const struct macro_value *said = cell_macro_argument(work, mine, "service");
	const char *name;

	s->service = said ? said->text : service_of_type(work, s->state);
	for (size_t i = 0; i < request->n_context && !said && !s->state; i++) {
		const struct macro_attribute *at = &request->context[i];

		if (strcmp(at->ns, "cell") != 0 || strcmp(at->name, "service") != 0)
			continue;
		name = cell_macro_text(work, at, "name", "");
		if (s->service && strcmp(s->service, name) != 0) {
			(void)cell_macro_refuse(work, mine, NULL,
						"'%s' may belong to '%s' or to '%s'",
						cell_macro_declaration(work)->name, s->service,
						name);
			cell_macro_note(work, "say %s(service = \"%s\")", mine->name, s->service);
			return CELL_INVALID_ARGUMENT;
		}
		s->service = name;
	}
	if (s->service && is_cell_name(s->service))
		return 0;
	if (s->service)
		return cell_macro_refuse(work, mine, said, "'%s' is no name of a service",
					 s->service);
	return 1;
}

static int no_service(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const char *name = *cell_macro_request(work)->program ? cell_macro_request(work)->program
							       : "bank";

	(void)cell_macro_refuse(work, mine, NULL, "handler '%s' belongs to no service",
				cell_macro_declaration(work)->name);
	cell_macro_note(work, "write [[cell::service(\"%s\")]]; once in the file, or %s(service = \"%s\")",
			name, "cell::handler", name);
	return CELL_INVALID_ARGUMENT;
}

static const char *snake(struct cell_macro_work *work, const char *name)
{
	char text[256];
	size_t n = 0;

	for (size_t i = 0; name[i] && n + 2 < sizeof text; i++) {
		bool is_upper = name[i] >= 'A' && name[i] <= 'Z';

		if (is_upper && i && name[i - 1] >= 'a' && name[i - 1] <= 'z')
			text[n++] = '_';
		text[n++] = is_upper ? (char)(name[i] - 'A' + 'a') : name[i] == '-' ? '_' : name[i];
	}
	text[n] = '\0';
	return cell_macro_printf(work, "%s", text);
}

static const char *camel(struct cell_macro_work *work, const char *name)
{
	char text[256];
	bool begins = true;
	size_t n = 0;

	for (; *name && n + 1 < sizeof text; name++) {
		if (*name == '_' || *name == '-') {
			begins = true;
			continue;
		}
		text[n++] = begins && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
		begins = false;
	}
	text[n] = '\0';
	return cell_macro_printf(work, "%s", text);
}

static bool is_identifier(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

	return *name && strchr(letters, *name) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") ==
		       strlen(name);
}

/* A function that is not static replaces one of libc's for the whole program. */
static bool is_in_libc(const char *name)
{
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
	bool found = libc && dlsym(libc, name);

	if (libc)
		(void)dlclose(libc);
	return found;
}

static int handler_read(struct cell_macro_work *work, const struct macro_attribute *mine,
			struct signature *s)
{
	const struct macro_declaration *declaration = cell_macro_declaration(work);
	const struct macro_value *said = cell_macro_argument(work, mine, "name");
	const char *name = said ? said->text : declaration->name;
	int r = parameters_read(work, s);

	if (r == 0)
		r = service_find(work, mine, s);
	if (r > 0)
		r = no_service(work, mine);
	if (r < 0)
		return r;
	if (!is_identifier(name))
		return cell_macro_refuse(work, mine, said, "'%s' is no name of a method", name);
	if (!declaration->is_static && is_in_libc(declaration->name)) {
		(void)cell_macro_refuse(work, NULL, NULL, "handler '%s' would replace libc's %s()",
					declaration->name, declaration->name);
		cell_macro_note(work, "make it static");
		return CELL_INVALID_ARGUMENT;
	}
	s->method = camel(work, name);
	s->word = cell_macro_printf(work, "%s_%s", service_word(work, s->service),
				    snake(work, name));
	return s->method && s->word ? 0 : -ENOMEM;
}

/* --- handlers --------------------------------------------------------------------------- */

int builtin_handler_plan(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	struct signature s = { .service = NULL };
	int r = handler_read(work, mine, &s);

	if (r == 0)
		r = cell_plan_wrap(work, mine, MACRO_PHASE_ENTRY, NULL, NULL);
	if (r == 0)
		r = cell_plan_wrap(work, mine, MACRO_PHASE_DECODE, NULL, NULL);
	return r;
}

static void put_entry(struct cell_macro_work *work, const struct macro_attribute *mine,
		      const struct signature *s)
{
	const char *symbol = cell_macro_printf(work, "cell_run_%s", s->word);
	struct cell_piece *piece = cell_piece_wrap(work, mine, MACRO_PHASE_ENTRY, symbol);

	cell_piece_template(piece,
			    "static int $symbol$(const void *handlers, struct cell_call *call, void *self,\n"
			    "\t\tconst void *in, void *out)\n"
			    "{\n"
			    "\t(void)handlers;\n"
			    "\treturn $next$(call, self, in, out);\n"
			    "}\n",
			    (const char *const[]){ "symbol", symbol, NULL });
}

/* From the uniform signature (call, self, in, out) to the handler's own. */
static void put_decoder(struct cell_macro_work *work, const struct macro_attribute *mine,
			const struct signature *s)
{
	const char *symbol = cell_macro_printf(work, "cell_decode_%s", s->word);
	struct cell_piece *piece = cell_piece_wrap(work, mine, MACRO_PHASE_DECODE, symbol);
	const bool decodes = s->in && !s->in_streams;

	cell_piece_template(piece,
			    "extern const struct cell_linked_method cell_method_$word$;\n"
			    "static int $symbol$(struct cell_call *call, void *self, const void *in,\n"
			    "\t\tvoid *out)\n"
			    "{\n",
			    (const char *const[]){ "symbol", symbol, "word", s->word, NULL });
	if (decodes)
		cell_piece_put(piece,
			       "\tvoid *request = cell_request(call, &cell_method_%s.method, in);\n\n",
			       s->word);
	if (!s->state)
		cell_piece_put(piece, "\t(void)self;\n");
	if (!s->in)
		cell_piece_put(piece, "\t(void)in;\n");
	if (!s->out)
		cell_piece_put(piece, "\t(void)out;\n");
	if (decodes)
		cell_piece_put(piece, "\tif (!request)\n\t\treturn cell_error(call)->code;\n");
	cell_piece_put(piece, "\treturn $next$(call%s%s%s);\n}\n", s->state ? ", self" : "",
		       !s->in          ? ""
		       : s->in_streams ? cell_macro_printf(work, ", (struct %s_source *)(uintptr_t)in",
							   s->in)
				       : ", request",
		       s->out ? ", out" : "");
}

static const char *flags_of(struct cell_macro_work *work, const struct macro_attribute *mine,
			    const struct signature *s)
{
	return cell_macro_printf(
		work, "CELL_METHOD_UNDECODED%s%s%s%s",
		s->in_streams ? " | CELL_METHOD_CLIENT_STREAM" : "",
		s->out_streams ? " | CELL_METHOD_SERVER_STREAM" : "",
		cell_macro_flag(work, mine, "idempotent", false) ? " | CELL_METHOD_IDEMPOTENT" : "",
		cell_macro_argument(work, mine, "raw") ? " | CELL_METHOD_RAW" : "");
}

static void put_record(struct cell_macro_work *work, const struct macro_attribute *mine,
		       const struct signature *s)
{
	struct cell_piece *piece = cell_piece(work, mine, MACRO_ANCHOR_END, MACRO_PIECE_KIND_ONCE);
	const char *full_name = cell_macro_printf(work, "cell.%s.v1.%s/%s",
						  service_word(work, s->service),
						  camel(work, s->service), s->method);
	const char *const words[] = {
		"word", s->word, "service", s->service, "method", s->method,
		"full", full_name,
		"hash", cell_macro_printf(work, "0x%08xu", cell_method_hash(full_name)),
		"flags", flags_of(work, mine, s),
		"in", s->in ? s->in : "empty", "out", s->out ? s->out : "empty",
		NULL
	};

	cell_piece_template(piece,
			    "const struct cell_linked_method cell_method_$word$ = {\n"
			    "\t.linked = { CELL_LINKED_METHOD, sizeof(struct cell_linked_method) },\n"
			    "\t.service = \"$service$\",\n"
			    "\t.method = {\n"
			    "\t\t.name = \"$method$\",\n"
			    "\t\t.full_name = \"$full$\",\n"
			    "\t\t.hash = $hash$,\n"
			    "\t\t.flags = $flags$,\n"
			    "\t\t.channel = CELL_CHANNEL_APP,\n"
			    "\t\t.in = &cell_$in$_type,\n"
			    "\t\t.out = &cell_$out$_type,\n"
			    "\t},\n"
			    "\t.invoke = cell_run_$word$,\n"
			    "\t.doc = ",
			    words);
	put_doc(piece, cell_macro_declaration(work)->doc);
	cell_piece_template(piece, ",\n};\nCELL_LINK(cell_method_$word$_link, cell_method_$word$);\n",
			    words);
}

int builtin_handler_expand(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	struct signature s = { .service = NULL };
	int r = handler_read(work, mine, &s);

	if (r < 0)
		return r;
	put_entry(work, mine, &s);
	put_decoder(work, mine, &s);
	put_record(work, mine, &s);
	return 0;
}

/* --- start and stop --------------------------------------------------------------------- */

static int hook_read(struct cell_macro_work *work, const struct macro_attribute *mine,
		     struct signature *s)
{
	const struct macro_declaration *declaration = cell_macro_declaration(work);
	const char *noun;
	int r;

	if (returns_int(work) && takes_call(work) && declaration->n_parameters <= 2 &&
	    (declaration->n_parameters == 1 || role_of(work, 1, &noun) == ROLE_STATE)) {
		if (declaration->n_parameters == 2)
			s->state = type_pointee(work, declaration->parameters[1].type);
		r = service_find(work, mine, s);
		if (r > 0)
			s->service = ""; /* it gets no state, so it needs no service */
		return r < 0 ? r : 0;
	}
	(void)cell_macro_refuse(work, NULL, NULL, "'%s' takes the call and a state, and returns int",
				declaration->name);
	cell_macro_note(work, "int %s(struct cell_call *, [state *])", declaration->name);
	return CELL_INVALID_ARGUMENT;
}

int builtin_hook_plan(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	struct signature s = { .service = NULL };

	return hook_read(work, mine, &s);
}

int builtin_hook_expand(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const char *name = cell_macro_declaration(work)->name;
	struct signature s = { .service = NULL };
	struct cell_piece *piece;
	int r = hook_read(work, mine, &s);

	if (r < 0)
		return r;
	piece = cell_piece(work, mine, MACRO_ANCHOR_END, MACRO_PIECE_KIND_ONCE);
	cell_piece_template(piece,
			    "static int cell_$kind$_$name$(struct cell_call *call, void *self)\n"
			    "{\n"
			    "$unused$"
			    "\treturn $name$(call$self$);\n"
			    "}\n\n"
			    "static const struct cell_linked_hook cell_$kind$_$name$_hook = {\n"
			    "\t.linked = { $record$, sizeof(struct cell_linked_hook) },\n"
			    "\t.service = \"$service$\",\n"
			    "\t.name = \"$name$\",\n"
			    "\t.run = cell_$kind$_$name$,\n"
			    "};\n"
			    "CELL_LINK(cell_$kind$_$name$_link, cell_$kind$_$name$_hook);\n",
			    (const char *const[]){
				    "kind", mine->name, "name", name, "service", s.service,
				    "unused", s.state ? "" : "\t(void)self;\n",
				    "self", s.state ? ", self" : "",
				    "record", strcmp(mine->name, "start") == 0 ? "CELL_LINKED_START"
									      : "CELL_LINKED_STOP",
				    NULL });
	return 0;
}
