/*
 * The attributes of Cell under compilers that do not know them.
 *
 * CELL(db::table(replicate = "raft")) is [[db::table(replicate = "raft")]], for files that
 * are compiled in a dialect older than C23: where the compiler would not parse it, nothing
 * remains. cellc knows the macro by its name and reads both.
 *
 * At file scope its semicolon stays, of which ISO C before C23 knows nothing (-Wpedantic).
 *
 * Without cellc attributes mean nothing, and compilers would warn of each. They are told not
 * to: gcc for the namespace cell, clang (which knows no namespaces there) for all unknown
 * attributes. For other namespaces under gcc give -Wno-attributes=NS::, or say
 * `#pragma GCC diagnostic ignored_attributes "NS::"`. cellc itself reports what it does not
 * know, with what was meant.
 */
#pragma once

#if defined(__CELLC__) || (defined(__STDC_VERSION__) && __STDC_VERSION__ > 201710L)
#define CELL(...) [[__VA_ARGS__]]
#elif defined(__cplusplus) && __cplusplus >= 201703L
#define CELL(...) [[__VA_ARGS__]]
#else
#define CELL(...)
#endif

#ifndef __CELLC__
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wunknown-attributes"
#pragma clang diagnostic ignored "-Wextra-semi" /* [[cell::service("bank")]]; alone */
#elif defined(__GNUC__) && __GNUC__ >= 12
#pragma GCC diagnostic ignored_attributes "cell::"
#endif
#endif
