#include "option.h"

#include <stddef.h>
#include <string.h>

/* The longest name that fits wins, so the order is free. */
static const struct option options[] = {
	{ "-###", FORM_ALONE, STEP_NONE, DO_PASS, "-### compiles nothing" },
	{ "-v", FORM_ALONE, STEP_NONE, DO_PASS, "-v shows the compiler's own steps" },
	{ "--verbose", FORM_ALONE, STEP_NONE, DO_PASS, "-v shows the compiler's own steps" },
	{ "-V", FORM_ALONE, STEP_NONE, DO_PASS, "the compiler is asked for its version" },
	{ "--version", FORM_ALONE, STEP_NONE, DO_PASS,
	  "the compiler is asked for its version" },
	{ "-dumpversion", FORM_ALONE, STEP_NONE, DO_PASS,
	  "the compiler is asked about itself" },
	{ "-dumpfullversion", FORM_ALONE, STEP_NONE, DO_PASS,
	  "the compiler is asked about itself" },
	{ "-dumpmachine", FORM_ALONE, STEP_NONE, DO_PASS,
	  "the compiler is asked about itself" },
	{ "-dumpspecs", FORM_ALONE, STEP_NONE, DO_PASS,
	  "the compiler is asked about itself" },
	{ "-print-", FORM_JOINED, STEP_NONE, DO_PASS, "the compiler is asked about itself" },
	{ "--print-", FORM_JOINED, STEP_NONE, DO_PASS, "the compiler is asked about itself" },
	{ "--help", FORM_JOINED, STEP_NONE, DO_PASS, "the compiler is asked for its help" },
	{ "--target-help", FORM_ALONE, STEP_NONE, DO_PASS,
	  "the compiler is asked for its help" },
	{ "-cc1", FORM_ALONE, STEP_NONE, DO_PASS, "-cc1 is clang's inside" },
	{ "-M", FORM_ALONE, STEP_NONE, DO_PASS, "-M compiles nothing" },
	{ "-MM", FORM_ALONE, STEP_NONE, DO_PASS, "-MM compiles nothing" },
	{ "-MG", FORM_ALONE, STEP_NONE, DO_PASS, "-MG compiles nothing" },
	{ "-dM", FORM_ALONE, STEP_NONE, DO_PASS, "-dM prints no program" },
	{ "-dD", FORM_ALONE, STEP_NONE, DO_PASS, "-dD prints no program" },
	{ "-dN", FORM_ALONE, STEP_NONE, DO_PASS, "-dN prints no program" },
	{ "-dI", FORM_ALONE, STEP_NONE, DO_PASS, "-dI prints no program" },
	{ "-dU", FORM_ALONE, STEP_NONE, DO_PASS, "-dU prints no program" },
	{ "-emit-llvm", FORM_ALONE, STEP_NONE, DO_PASS, "-emit-llvm makes no object" },
	{ "-emit-ast", FORM_ALONE, STEP_NONE, DO_PASS, "-emit-ast compiles nothing" },
	{ "--analyze", FORM_ALONE, STEP_NONE, DO_PASS, "--analyze compiles nothing" },
	{ "-fpreprocessed", FORM_ALONE, STEP_NONE, DO_PREPROCESSED, NULL },
	{ "-fdirectives-only", FORM_ALONE, STEP_NONE, DO_PREPROCESSED, NULL },
	{ "-frewrite-includes", FORM_ALONE, STEP_NONE, DO_PREPROCESSED, NULL },

	{ "-E", FORM_ALONE, STEP_NONE, DO_MODE_PREPROCESS, NULL },
	{ "-S", FORM_ALONE, STEP_NONE, DO_MODE_ASSEMBLY, NULL },
	{ "-c", FORM_ALONE, STEP_NONE, DO_MODE_OBJECT, NULL },
	{ "-fsyntax-only", FORM_ALONE, STEP_NONE, DO_MODE_CHECK, NULL },
	{ "-o", FORM_EITHER, STEP_NONE, DO_OUTPUT, NULL },
	{ "-x", FORM_EITHER, STEP_NONE, DO_LANGUAGE, NULL },

	{ "-D", FORM_EITHER, STEP_PREPROCESS | STEP_DEFINES, DO_NOTHING, NULL },
	{ "-U", FORM_EITHER, STEP_PREPROCESS | STEP_DEFINES, DO_NOTHING, NULL },
	{ "-I", FORM_EITHER, STEP_PREPROCESS, DO_DIRECTORY, NULL },
	{ "-iquote", FORM_EITHER, STEP_PREPROCESS, DO_DIRECTORY, NULL },
	{ "-isystem", FORM_EITHER, STEP_PREPROCESS, DO_DIRECTORY, NULL },
	{ "-idirafter", FORM_EITHER, STEP_PREPROCESS, DO_DIRECTORY, NULL },
	{ "-A", FORM_EITHER, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-F", FORM_EITHER, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-include", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-include-pch", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-imacros", FORM_EITHER, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-iprefix", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-iwithprefix", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-iwithprefixbefore", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-imultilib", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-ivfsoverlay", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-isysroot", FORM_NEXT, STEP_BOTH, DO_NOTHING, NULL },
	{ "-nostdinc", FORM_ALONE, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-undef", FORM_ALONE, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-C", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-CC", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-P", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-H", FORM_ALONE, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-Xpreprocessor", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-Wp,", FORM_JOINED, STEP_PREPROCESS, DO_PREPROCESSOR_WORDS, NULL },

	{ "-MD", FORM_ALONE, STEP_NONE, DO_DEPENDENCIES, NULL },
	{ "-MMD", FORM_ALONE, STEP_NONE, DO_DEPENDENCIES_USER, NULL },
	{ "-MF", FORM_EITHER, STEP_NONE, DO_DEPFILE, NULL },
	{ "-MT", FORM_EITHER, STEP_NONE, DO_DEP_TARGET, NULL },
	{ "-MQ", FORM_EITHER, STEP_NONE, DO_DEP_TARGET, NULL },
	{ "-MP", FORM_ALONE, STEP_NONE, DO_DEP_PHONY, NULL },
	{ "-MV", FORM_ALONE, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-MJ", FORM_EITHER, STEP_COMPILE, DO_NOTHING, NULL },

	{ "-L", FORM_EITHER, STEP_NONE, DO_NOTHING, NULL },
	{ "-l", FORM_EITHER, STEP_NONE, DO_LIBRARY, NULL },
	{ "-Wl,", FORM_JOINED, STEP_NONE, DO_NOTHING, NULL },
	{ "-Xlinker", FORM_NEXT, STEP_NONE, DO_NOTHING, NULL },
	{ "-T", FORM_EITHER, STEP_NONE, DO_NOTHING, NULL },
	{ "-e", FORM_EITHER, STEP_NONE, DO_NOTHING, NULL },
	{ "-u", FORM_EITHER, STEP_NONE, DO_NOTHING, NULL },
	{ "-z", FORM_EITHER, STEP_NONE, DO_NOTHING, NULL },
	{ "-h", FORM_EITHER, STEP_NONE, DO_NOTHING, NULL },
	{ "-R", FORM_EITHER, STEP_NONE, DO_NOTHING, NULL },
	{ "-s", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-r", FORM_ALONE, STEP_NONE, DO_RELOCATABLE, NULL },
	{ "-shared", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-static", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-static-pie", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-static-libgcc", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-rdynamic", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-pie", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-no-pie", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-nostdlib", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-nostartfiles", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-nodefaultlibs", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-fuse-ld=", FORM_JOINED, STEP_NONE, DO_NOTHING, NULL },

	{ "-Wa,", FORM_JOINED, STEP_COMPILE, DO_NOTHING, NULL },
	{ "-Xassembler", FORM_NEXT, STEP_COMPILE, DO_NOTHING, NULL },
	{ "-Xclang", FORM_NEXT, STEP_BOTH, DO_NOTHING, NULL },
	{ "-mllvm", FORM_NEXT, STEP_BOTH, DO_NOTHING, NULL },
	{ "--param", FORM_NEXT, STEP_BOTH, DO_NOTHING, NULL },
	{ "--param=", FORM_JOINED, STEP_BOTH, DO_NOTHING, NULL },
	{ "-B", FORM_EITHER, STEP_BOTH, DO_NOTHING, NULL },
	{ "-G", FORM_EITHER, STEP_BOTH, DO_NOTHING, NULL },
	{ "-aux-info", FORM_NEXT, STEP_COMPILE, DO_NOTHING, NULL },
	{ "-wrapper", FORM_NEXT, STEP_BOTH, DO_NOTHING, NULL },
	{ "-specs", FORM_NEXT, STEP_BOTH, DO_NOTHING, NULL },
	{ "-specs=", FORM_JOINED, STEP_BOTH, DO_NOTHING, NULL },
	{ "--sysroot", FORM_NEXT, STEP_BOTH, DO_TARGET, NULL },
	{ "--sysroot=", FORM_JOINED, STEP_BOTH, DO_TARGET, NULL },
	{ "-working-directory", FORM_NEXT, STEP_BOTH, DO_NOTHING, NULL },
	{ "--serialize-diagnostics", FORM_NEXT, STEP_COMPILE, DO_NOTHING, NULL },
	{ "-arch", FORM_NEXT, STEP_BOTH, DO_TARGET, NULL },
	{ "-target", FORM_NEXT, STEP_BOTH, DO_TARGET, NULL },
	{ "--target=", FORM_JOINED, STEP_BOTH, DO_TARGET, NULL },
	{ "-m", FORM_JOINED, STEP_BOTH, DO_TARGET, NULL },
	{ "-fpack-struct", FORM_JOINED, STEP_BOTH, DO_TARGET, NULL },
	{ "-fshort-enums", FORM_ALONE, STEP_BOTH, DO_TARGET, NULL },
	{ "-fshort-wchar", FORM_ALONE, STEP_BOTH, DO_TARGET, NULL },
	{ "-funsigned-char", FORM_ALONE, STEP_BOTH, DO_TARGET, NULL },
	{ "-fsigned-char", FORM_ALONE, STEP_BOTH, DO_TARGET, NULL },
	{ "-std=", FORM_JOINED, STEP_BOTH, DO_STANDARD, NULL },
	{ "--std=", FORM_JOINED, STEP_BOTH, DO_STANDARD, NULL },
	{ "-ansi", FORM_ALONE, STEP_BOTH, DO_STANDARD, NULL },
	{ "-save-temps", FORM_JOINED, STEP_COMPILE, DO_SAVE_TEMPS, NULL },
	{ "--save-temps", FORM_JOINED, STEP_COMPILE, DO_SAVE_TEMPS, NULL },
	{ "-flto", FORM_JOINED, STEP_COMPILE, DO_LTO, NULL },
	{ "-fno-lto", FORM_ALONE, STEP_COMPILE, DO_NO_LTO, NULL },
	{ "-dumpdir", FORM_NEXT, STEP_NONE, DO_DUMPDIR, NULL },
	{ "-dumpbase", FORM_NEXT, STEP_NONE, DO_DUMPBASE, NULL },
	{ "-dumpbase-ext", FORM_NEXT, STEP_NONE, DO_NOTHING, NULL },
	{ "-fdiagnostics-color", FORM_ALONE, STEP_BOTH, DO_COLOR, NULL },
	{ "-fdiagnostics-color=always", FORM_ALONE, STEP_BOTH, DO_COLOR, NULL },
	{ "-fdiagnostics-color=never", FORM_ALONE, STEP_BOTH, DO_NO_COLOR, NULL },
	{ "-fno-diagnostics-color", FORM_ALONE, STEP_BOTH, DO_NO_COLOR, NULL },
	{ "-fcolor-diagnostics", FORM_ALONE, STEP_BOTH, DO_COLOR, NULL },
	{ "-fno-color-diagnostics", FORM_ALONE, STEP_BOTH, DO_NO_COLOR, NULL },
	{ "-fdiagnostics-format=", FORM_JOINED, STEP_BOTH, DO_FORMAT, NULL },
	{ "-Werror", FORM_ALONE, STEP_BOTH, DO_WERROR, NULL },
	{ "-Wno-error", FORM_ALONE, STEP_BOTH, DO_NO_WERROR, NULL },
	{ "-w", FORM_ALONE, STEP_BOTH, DO_NO_WARNINGS, NULL },
};

const struct option *option_find(const char *word)
{
	const struct option *best = NULL;
	size_t best_len = 0;

	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		const struct option *option = &options[i];
		size_t len;

		if (option->name[1] != word[1])
			continue;
		len = strlen(option->name);
		if (len <= best_len || strncmp(word, option->name, len) != 0)
			continue;
		if (word[len] && option->form != FORM_JOINED && option->form != FORM_EITHER)
			continue;
		best = option;
		best_len = len;
	}
	return best;
}
