/*
 * Values that the proto3 JSON mapping spells as text: bytes as base64, times and durations,
 * and floats in as few digits as bring back the same number. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of LEN bytes in base64, its NUL included. */
#define TEXT_BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)

/* Write LEN bytes at OUT, which has TEXT_BASE64_SIZE(LEN) bytes of room. */
void text_base64_encode(char *out, const uint8_t *bytes, size_t len);

/*
 * Read LEN characters of base64: the standard alphabet or the one for URLs, with or without
 * padding. OUT has room for LEN / 4 * 3 + 3 bytes. False if it is none.
 */
bool text_base64_decode(uint8_t *out, size_t *ret_len, const char *text, size_t len);

/* Room for any time or duration. */
#define TEXT_TIME_SIZE 64

/*
 * "2031-05-06T07:08:09.010Z": as many digits of the second (0, 3, 6 or 9) as there are.
 * False if the time is not between the years 1 and 9999 or NANOS no part of a second.
 */
bool text_timestamp_write(char out[TEXT_TIME_SIZE], int64_t seconds, int32_t nanos);

/* The same with a zone: "Z", "+02:00". False if TEXT is no such time. */
bool text_timestamp_read(int64_t *ret_seconds, int32_t *ret_nanos, const char *text);

/* "-1.500s"; at most 10,000 years. */
bool text_duration_write(char out[TEXT_TIME_SIZE], int64_t seconds, int32_t nanos);
bool text_duration_read(int64_t *ret_seconds, int32_t *ret_nanos, const char *text);

/* Room for any number below. */
#define TEXT_NUMBER_SIZE 32

/* The shortest decimal that reads back as VALUE (finite). */
void text_double_write(char out[TEXT_NUMBER_SIZE], double value);

/* VALUE's shortest decimal as a float, as a double: 0.1f gives 0.1. */
double text_float_as_double(float value);
