/*
 * systemd's notification protocol, by hand: one datagram to $NOTIFY_SOCKET. Without that
 * variable nothing happens.
 */
#pragma once

#include <stdint.h>

/* "READY=1", "STOPPING=1", "WATCHDOG=1" … */
void notify_send(const char *state);

/* Nanoseconds between two signs of life that systemd wants of us; 0: none. */
uint64_t notify_watchdog_ns(void);
