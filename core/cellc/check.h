/*
 * An attribute against what its provider says about the macro: so most mistakes are found
 * without asking anybody, and offline. Pure but for what is said.
 */
#pragma once

#include "scan.h"

/* What is known of the namespaces, from the macro cell or from locks. */
struct check_known {
	const char *const *namespaces;
	const char *const *cells; /* the provider of each */
	size_t n_namespaces;
	const struct macro_macro_description *macros; /* of all namespaces */
	size_t n_macros;
};

/* "a struct", "a function without a body", … */
const char *check_place_name(enum macro_place place);

/* The description of NS::NAME, or NULL. */
const struct macro_macro_description *check_find(const struct check_known *known,
						 const char *ns, const char *name);

/*
 * Check ATTRIBUTE, which stands on PLACE. VALUES is a copy of its n_values values, where 0
 * and 1 become booleans where the macro wants one, and a raw argument tokens. What is wrong
 * is said. Returns 0 or -EINVAL.
 */
int check_attribute(const struct check_known *known, const struct attribute *attribute,
		    enum macro_place place, struct macro_value *values, struct diag *diag);

/*
 * Check that among the N attributes at one place none stands twice whose macro does not allow
 * it. Returns 0 or -EINVAL.
 */
int check_repeated(const struct check_known *known, const struct attribute *const *attributes,
		   size_t n, struct diag *diag);
