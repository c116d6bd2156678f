#include "macro_work.h"

#include <cell/cell.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void macro_work_init(struct cell_macro_work *work, struct cell_call *call,
		     const struct cell_macro_provider *provider, void *self,
		     const struct macro_plan_request *request)
{
	*work = (struct cell_macro_work){
		.call = call, .provider = provider, .self = self, .request = request,
	};
	work->pieces_end = &work->pieces;
}

void *macro_list_add(struct cell_macro_work *work, struct macro_list *list, size_t size)
{
	char *items = list->items;

	/* Doubled whenever the count is a power of two; the arena keeps the old ones. */
	if ((list->n & (list->n - 1)) == 0) {
		size_t room = list->n ? 2 * list->n : 1;

		items = cell_arena_calloc(cell_arena(work->call), room, size);
		if (!items) {
			work->is_out_of_memory = true;
			return NULL;
		}
		if (list->n)
			memcpy(items, list->items, list->n * size);
		list->items = items;
	}
	return memset(items + list->n++ * size, 0, size);
}

int macro_list_add_text(struct cell_macro_work *work, struct macro_list *list, const char *text)
{
	const char **item, *const *items = list->items;

	for (size_t i = 0; i < list->n; i++)
		if (strcmp(items[i], text) == 0)
			return 0;
	text = cell_arena_strdup(cell_arena(work->call), text);
	item = text ? macro_list_add(work, list, sizeof *item) : NULL;
	if (!item) {
		work->is_out_of_memory = true;
		return -ENOMEM;
	}
	*item = text;
	return 0;
}

/* MESSAGE's bytes, one spare byte behind them. NULL: no memory, or not encodable. */
static uint8_t *encoded(struct cell_arena *arena, const struct cell_message_type *type,
			const void *message, size_t *ret_len)
{
	size_t bound = type->bound(message), size;
	uint8_t *bytes;

	if (!cell_add(bound, 1, &size))
		return NULL;
	bytes = cell_arena_alloc(arena, size);
	if (bytes)
		*ret_len = (size_t)(type->encode(message, bytes) - bytes);
	return bytes;
}

void *macro_copy(struct cell_arena *arena, const struct cell_message_type *type,
		 const void *message)
{
	size_t len;
	uint8_t *bytes = encoded(arena, type, message, &len);
	void *copy = cell_arena_alloc(arena, type->size);

	if (!bytes || !copy ||
	    type->decode(copy, bytes, len, CELL_DECODE_IN_PLACE, arena, NULL) < 0)
		return NULL;
	return copy;
}

int macro_digest(struct cell_arena *arena, const struct cell_message_type *type,
		 const void *message, uint8_t digest[static MACRO_DIGEST_SIZE])
{
	struct cell_arena_mark mark = cell_arena_mark(arena);
	size_t len;
	uint8_t *bytes = encoded(arena, type, message, &len);

	if (!bytes)
		return -ENOMEM;
	(void)crypto_generichash(digest, MACRO_DIGEST_SIZE, bytes, len, NULL, 0);
	cell_arena_rewind(arena, mark);
	return 0;
}

const char *macro_ns(const struct cell_macro_provider *provider, const struct cell_macro *macro)
{
	return macro->ns ? macro->ns : provider->namespaces[0];
}

bool macro_owns(const struct cell_macro_provider *provider, const char *ns)
{
	for (const char *const *own = provider->namespaces; *own; own++)
		if (strcmp(*own, ns) == 0)
			return true;
	return false;
}

const struct cell_macro *macro_of(const struct cell_macro_provider *provider,
				  const struct macro_attribute *attribute)
{
	for (const struct cell_macro *macro = provider->macros; macro->name; macro++)
		if (strcmp(macro->name, attribute->name) == 0 &&
		    strcmp(macro_ns(provider, macro), attribute->ns) == 0)
			return macro;
	return NULL;
}

/* --- the request ------------------------------------------------------------------------ */

struct cell_call *cell_macro_call(const struct cell_macro_work *work)
{
	return work->call;
}

void *cell_macro_self(const struct cell_macro_work *work)
{
	return work->self;
}

const struct macro_plan_request *cell_macro_request(const struct cell_macro_work *work)
{
	return work->request;
}

const struct macro_declaration *cell_macro_declaration(const struct cell_macro_work *work)
{
	return work->request ? work->request->declaration : NULL;
}

const struct macro_type *cell_macro_type(const struct cell_macro_work *work, uint32_t index)
{
	if (index == 0 || !work->request || index > work->request->n_types)
		return NULL;
	return &work->request->types[index - 1];
}

const struct macro_type *cell_macro_plain_type(const struct cell_macro_work *work, uint32_t index)
{
	const struct macro_type *type = cell_macro_type(work, index);

	/* A table that names itself in a circle is not ours to believe. */
	for (size_t i = 0; type && type->kind == MACRO_TYPE_KIND_TYPEDEF; i++) {
		if (i > work->request->n_types)
			return NULL;
		type = cell_macro_type(work, type->element);
	}
	return type;
}

const struct macro_attribute *cell_macro_find(const struct macro_attribute *attributes, size_t n,
					      const char *ns, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(attributes[i].ns, ns) == 0 && strcmp(attributes[i].name, name) == 0)
			return &attributes[i];
	return NULL;
}

bool cell_macro_has(const struct cell_macro_work *work, const char *ns, const char *name)
{
	const struct macro_plan_request *request = work->request;

	for (size_t i = 0; request && i < request->n_attributes; i++)
		if (strcmp(request->attributes[i].ns, ns) == 0 &&
		    (!name || strcmp(request->attributes[i].name, name) == 0))
			return true;
	return false;
}

const char *cell_macro_printf(struct cell_macro_work *work, const char *format, ...)
{
	va_list args, again;
	char *text = NULL;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	if (len >= 0)
		text = cell_arena_alloc(cell_arena(work->call), (size_t)len + 1);
	if (text)
		(void)vsnprintf(text, (size_t)len + 1, format, again);
	else
		work->is_out_of_memory = true;
	va_end(again);
	va_end(args);
	return text;
}

/* --- saying what is wrong ---------------------------------------------------------------- */

static struct macro_diagnostic *diagnose(struct cell_macro_work *work,
					 enum macro_diagnostic_severity severity,
					 const struct macro_attribute *attribute,
					 const char *format, va_list args)
{
	struct macro_diagnostic *diagnostic =
		macro_list_add(work, &work->diagnostics, sizeof *diagnostic);
	char text[1024];

	work->notes = (struct macro_list){ 0 };
	if (severity == MACRO_DIAGNOSTIC_SEVERITY_ERROR)
		work->n_errors++;
	if (!diagnostic)
		return NULL;
	(void)vsnprintf(text, sizeof text, format, args);
	*diagnostic = (struct macro_diagnostic){
		.severity = severity, .attribute = attribute ? attribute->id : 0, .member = "",
		.macro = "",
		.ns = attribute ? attribute->ns : work->provider->namespaces[0],
		.text = cell_arena_strdup(cell_arena(work->call), text),
	};
	if (!diagnostic->text) {
		work->is_out_of_memory = true;
		diagnostic->text = "";
	}
	return diagnostic;
}

/* Where VALUE is in ATTRIBUTE, from 1; 0 if it is none of its values. */
static uint32_t value_index(const struct macro_attribute *attribute,
			    const struct macro_value *value)
{
	if (!attribute || attribute->n_values == 0 || !value || value < attribute->values ||
	    value >= attribute->values + attribute->n_values)
		return 0;
	return (uint32_t)(value - attribute->values) + 1;
}

int cell_macro_refuse(struct cell_macro_work *work, const struct macro_attribute *attribute,
		      const struct macro_value *value, const char *format, ...)
{
	struct macro_diagnostic *diagnostic;
	va_list args;

	va_start(args, format);
	diagnostic = diagnose(work, MACRO_DIAGNOSTIC_SEVERITY_ERROR, attribute, format, args);
	va_end(args);
	if (diagnostic)
		diagnostic->value = value_index(attribute, value);
	return CELL_INVALID_ARGUMENT;
}

int cell_macro_refuse_at(struct cell_macro_work *work, const struct macro_attribute *attribute,
			 const struct macro_value *value, size_t offset, const char *format, ...)
{
	struct macro_diagnostic *diagnostic;
	va_list args;

	va_start(args, format);
	diagnostic = diagnose(work, MACRO_DIAGNOSTIC_SEVERITY_ERROR, attribute, format, args);
	va_end(args);
	if (diagnostic)
		diagnostic->value = value_index(attribute, value);
	if (diagnostic && diagnostic->value && offset < UINT32_MAX)
		diagnostic->offset = (uint32_t)offset + 1;
	return CELL_INVALID_ARGUMENT;
}

/* A copy of TEXT for a message. Never NULL. */
static const char *copied(struct cell_macro_work *work, const char *text)
{
	const char *copy = cell_arena_strdup(cell_arena(work->call), text);

	if (copy)
		return copy;
	work->is_out_of_memory = true;
	return "";
}

int cell_macro_refuse_member(struct cell_macro_work *work, const char *member,
			     const char *format, ...)
{
	struct macro_diagnostic *diagnostic;
	va_list args;

	va_start(args, format);
	diagnostic = diagnose(work, MACRO_DIAGNOSTIC_SEVERITY_ERROR, work->asked, format, args);
	va_end(args);
	if (diagnostic)
		diagnostic->member = copied(work, member);
	return CELL_INVALID_ARGUMENT;
}

void cell_macro_warn(struct cell_macro_work *work, const struct macro_attribute *attribute,
		     const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)diagnose(work, MACRO_DIAGNOSTIC_SEVERITY_WARNING, attribute, format, args);
	va_end(args);
}

void cell_macro_note(struct cell_macro_work *work, const char *format, ...)
{
	struct macro_diagnostic *diagnostics = work->diagnostics.items, *last;
	char text[1024];
	va_list args;

	if (work->diagnostics.n == 0)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	(void)macro_list_add_text(work, &work->notes, text);
	last = &diagnostics[work->diagnostics.n - 1];
	last->notes = work->notes.items;
	last->n_notes = work->notes.n;
}

static int refuse_declared(struct cell_macro_work *work, const struct macro_declared *declared,
			   int code, const char *member, const char *macro, const char *format,
			   va_list args) __attribute__((format(printf, 6, 0)));

static int refuse_declared(struct cell_macro_work *work, const struct macro_declared *declared,
			   int code, const char *member, const char *macro, const char *format,
			   va_list args)
{
	struct macro_diagnostic *diagnostic =
		diagnose(work, MACRO_DIAGNOSTIC_SEVERITY_ERROR, NULL, format, args);

	if (diagnostic) {
		diagnostic->attribute = declared->attribute;
		diagnostic->ns = declared->ns;
		diagnostic->member = copied(work, member);
		diagnostic->macro = copied(work, macro);
	}
	if (!work->status)
		work->status = code;
	return code;
}

int cell_provision_refuse(struct cell_macro_work *work, const struct macro_declared *declared,
			  int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)refuse_declared(work, declared, code, "", "", format, args);
	va_end(args);
	return code;
}

int cell_provision_refuse_member(struct cell_macro_work *work,
				 const struct macro_declared *declared, int code,
				 const char *member, const char *macro, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)refuse_declared(work, declared, code, member, macro, format, args);
	va_end(args);
	return code;
}

int cell_provision_changed(struct cell_macro_work *work, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return macro_list_add_text(work, &work->changes, text);
}

int macro_bug(struct cell_macro_work *work, const struct macro_attribute *mine,
	      const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	/* The first one is the cause of those after it. */
	if (!work->bug)
		work->bug = mine ? cell_refuse(work->call, CELL_INTERNAL, "%s::%s: %s", mine->ns,
					       mine->name, text)
				 : cell_refuse(work->call, CELL_INTERNAL, "%s: %s",
					       work->provider->namespaces[0], text);
	return work->bug;
}
