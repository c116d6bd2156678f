#include <cell/internal/gen.h>

#include <ctype.h>
#include <stddef.h>
#include <string.h>

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Whether a new word begins at NAME[I]: fooBar, HTTPRequest, v2Thing. */
static bool begins_word(const char *name, size_t i)
{
	if (!i || !is_upper(name[i]) || name[i - 1] == '_')
		return false;
	return is_lower(name[i - 1]) || is_digit(name[i - 1]) || is_lower(name[i + 1]);
}

char *gen_name_snake(const char *name)
{
	char *snake = gen_take(2 * strlen(name) + 1);
	char *out = snake;

	for (size_t i = 0; name[i]; i++) {
		if (begins_word(name, i))
			*out++ = '_';
		*out++ = name[i] == '-' ? '_' : (char)tolower((unsigned char)name[i]);
	}
	return snake;
}

char *gen_name_upper(const char *name)
{
	char *upper = gen_name_snake(name);

	for (char *at = upper; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	return upper;
}

char *gen_name_camel(const char *name)
{
	char *camel = gen_take(strlen(name) + 1);
	char *out = camel;
	bool begins = true;

	for (; *name; name++) {
		if (*name == '_' || *name == '-') {
			begins = true;
			continue;
		}
		*out++ = begins ? (char)toupper((unsigned char)*name) : *name;
		begins = false;
	}
	return camel;
}

/* v1, v12, v1beta2, v1alpha1 */
static bool is_version(const char *word, size_t len)
{
	size_t i = 1;

	if (len < 2 || word[0] != 'v' || !is_digit(word[1]))
		return false;
	while (i < len && is_digit(word[i]))
		i++;
	if (len - i > 4 && !strncmp(word + i, "beta", 4))
		i += 4;
	else if (len - i > 5 && !strncmp(word + i, "alpha", 5))
		i += 5;
	while (i < len && is_digit(word[i]))
		i++;
	return i == len;
}

char *gen_name_package_noun(const char *package)
{
	const char *end = package + strlen(package);
	const char *start;

	for (;;) {
		start = end;
		while (start > package && start[-1] != '.')
			start--;
		if (start == end)
			return NULL;
		if (!is_version(start, (size_t)(end - start)))
			return gen_printf("%.*s", (int)(end - start), start);
		if (start == package)
			return NULL;
		end = start - 1;
	}
}

/* Keywords of C23 and C++20, and object-like macros that headers define in lower case. */
static const char *const taken_names[] = {
	"alignas",       "alignof",       "and",
	"and_eq",        "asm",           "auto",
	"bitand",        "bitor",         "bool",
	"break",         "case",          "catch",
	"char",          "char16_t",      "char32_t",
	"char8_t",       "class",         "co_await",
	"co_return",     "co_yield",      "compl",
	"complex",       "concept",       "const",
	"const_cast",    "consteval",     "constexpr",
	"constinit",     "continue",      "decltype",
	"default",       "delete",        "do",
	"double",        "dynamic_cast",  "else",
	"enum",          "errno",         "explicit",
	"export",        "extern",        "false",
	"float",         "for",           "friend",
	"goto",          "i386",          "if",
	"imaginary",     "inline",        "int",
	"linux",         "long",          "mutable",
	"namespace",     "new",           "noexcept",
	"noreturn",      "not",           "not_eq",
	"nullptr",       "operator",      "or",
	"or_eq",         "private",       "protected",
	"public",        "register",      "reinterpret_cast",
	"requires",      "restrict",      "return",
	"short",         "signed",        "sizeof",
	"static",        "static_assert", "static_cast",
	"stderr",        "stdin",         "stdout",
	"struct",        "switch",        "template",
	"this",          "thread_local",  "throw",
	"true",          "try",           "typedef",
	"typeid",        "typename",      "typeof",
	"typeof_unqual", "union",         "unix",
	"unsigned",      "using",         "virtual",
	"void",          "volatile",      "wchar_t",
	"while",         "xor",           "xor_eq",
};

const char *gen_name_member(const char *name)
{
	for (size_t i = 0; i < sizeof taken_names / sizeof taken_names[0]; i++)
		if (!strcmp(name, taken_names[i]))
			return gen_printf("%s_", name);
	return name;
}

/* What follows PREFIX and '_' in NAME, or NULL if NAME does not go on like that. */
static const char *after(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(name, prefix, len) || name[len] != '_' || !name[len + 1])
		return NULL;
	return name + len + 1;
}

char *gen_name_constant(const char *prefix, const char *tag, const char *name,
			const char *value)
{
	const char *whole = gen_name_upper(tag);
	const char *rest = after(value, whole);

	/* What of the tag the value repeats: with the outer messages, or without. */
	if (!rest)
		rest = after(value, whole + strlen(prefix) + 1);
	if (!rest)
		rest = after(value, gen_name_upper(name));
	return gen_printf("%s_%s", whole, rest ? rest : value);
}
