/* What a single word of a manifest may look like: names, channels, sizes, times, paths. */
#include "manifest_parser.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

/* ---- numbers ---- */

/* "12" or "1.5" times UNIT; *RET_REST is what follows the digits. */
static int decimal_parse(const char *text, const char **ret_rest, uint64_t *ret_whole,
			 uint64_t *ret_billionths)
{
	uint64_t whole = 0, fraction = 0, scale = 100000000;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(whole, UINT64_C(10), &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*text - '0'), &whole))
			return -ERANGE;
	if (*text == '.') {
		if (!isdigit((unsigned char)*++text))
			return -EINVAL;
		for (; isdigit((unsigned char)*text); text++, scale /= 10)
			fraction += (uint64_t)(*text - '0') * scale;
	}
	*ret_rest = text;
	*ret_whole = whole;
	*ret_billionths = fraction;
	return 0;
}

static int decimal_scale(uint64_t whole, uint64_t billionths, uint64_t unit, uint64_t *ret)
{
	unsigned __int128 value = (unsigned __int128)whole * unit +
				  (unsigned __int128)billionths * unit / NS_PER_S;

	if (value > UINT64_MAX)
		return -ERANGE;
	*ret = (uint64_t)value;
	return 0;
}

int cell_size_parse(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	uint64_t whole, billionths, unit = 1;
	const char *rest, *prefix;
	int r = decimal_parse(text, &rest, &whole, &billionths);

	if (r < 0)
		return r;
	prefix = *rest ? strchr(units, toupper((unsigned char)*rest)) : NULL;
	if (prefix) {
		unit <<= 10 * (prefix - units + 1);
		rest++;
		if (strcmp(rest, "iB") == 0)
			rest++;
	}
	if (*rest == 'B')
		rest++;
	if (*rest || (billionths && unit == 1))
		return -EINVAL;
	return decimal_scale(whole, billionths, unit, ret_bytes);
}

int cell_duration_parse(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "ns", 1 },
		{ "us", 1000 },
		{ "ms", NS_PER_MS },
		{ "s", NS_PER_S },
		{ "m", 60 * NS_PER_S },
		{ "min", 60 * NS_PER_S },
		{ "h", 3600 * NS_PER_S },
	};
	uint64_t whole, billionths;
	const char *rest;
	int r = decimal_parse(text, &rest, &whole, &billionths);

	if (r < 0)
		return r;
	if (!*rest && whole == 0 && billionths == 0) {
		*ret_ns = 0;
		return 0;
	}
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (strcmp(rest, units[i].name) == 0)
			return decimal_scale(whole, billionths, units[i].ns, ret_ns);
	return -EINVAL;
}

/* ---- names and paths ---- */

bool manifest_is_word(const char *word, const char *more_first, const char *rest, size_t max)
{
	size_t len = word ? strlen(word) : 0;

	if (len == 0 || len > max)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool is_ok = (word[i] >= 'a' && word[i] <= 'z') ||
			     strchr(more_first, word[i]) || (i > 0 && strchr(rest, word[i]));

		if (!is_ok)
			return false;
	}
	return true;
}

bool cell_name_is_valid(const char *name)
{
	return manifest_is_word(name, "", "0123456789-", CELL_NAME_MAX);
}

/* Whether PATH is FOLDER or below it. */
static bool path_is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

const char *cell_mount_refusal(const char *path)
{
	/* What other processes, devices, secrets or the sandbox itself live in. */
	static const char *const closed[] = { "/proc",  "/sys",          "/dev",
					      "/run",   "/var/run",      "/boot",
					      "/root",  "/tmp",          "/cell",
					      "/state", "/var/lib/cell", "/var/spool" };
	/* Parts of these may be mounted, all of it never. */
	static const char *const too_wide[] = { "/", "/etc", "/home", "/var", "/var/lib" };
	static const char *const secrets[] = { "/etc/shadow",  "/etc/shadow-",
					       "/etc/gshadow", "/etc/gshadow-",
					       "/etc/sudoers", "/etc/sudoers.d",
					       "/etc/ssh" };
	static const char *const private[] = { "/.ssh", "/.gnupg" };

	if (path[0] != '/')
		return "is not absolute";
	if (path[1] && path[strlen(path) - 1] == '/')
		return "ends in a slash";
	if (strstr(path, "//") || strstr(path, "/./") || strstr(path, "/../") ||
	    (strlen(path) >= 2 && strcmp(path + strlen(path) - 2, "/.") == 0) ||
	    (strlen(path) >= 3 && strcmp(path + strlen(path) - 3, "/..") == 0))
		return "is not in its shortest form";
	for (size_t i = 0; i < sizeof closed / sizeof closed[0]; i++)
		if (path_is_below(path, closed[i]))
			return "is closed to cells";
	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
		if (path_is_below(path, secrets[i]))
			return "holds secrets";
	for (size_t i = 0; i < sizeof private / sizeof private[0]; i++) {
		const char *at = strstr(path, private[i]);

		if (at && (at[strlen(private[i])] == '/' || at[strlen(private[i])] == '\0'))
			return "holds secrets";
	}
	for (size_t i = 0; i < sizeof too_wide / sizeof too_wide[0]; i++)
		if (strcmp(path, too_wide[i]) == 0)
			return "is too much; name the folders below it that are needed";
	if (strncmp(path, "/home/", 6) == 0 && !strchr(path + 6, '/'))
		return "is a whole home; name the folders below it that are needed";
	return NULL;
}

const char *cell_channel_name(uint8_t channel, char out[CELL_CHANNEL_NAME_MAX])
{
	static const char *const names[] = { "app", "consensus", "ops", "macro" };

	if (channel < sizeof names / sizeof names[0])
		(void)snprintf(out, CELL_CHANNEL_NAME_MAX, "%s", names[channel]);
	else
		(void)snprintf(out, CELL_CHANNEL_NAME_MAX, "0x%02x", channel);
	return out;
}
