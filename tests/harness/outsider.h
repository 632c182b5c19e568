/*
 * Servers that somebody else wrote, on loopback.
 */
#pragma once

#include <stdint.h>

/* A port that nobody listens on at this moment. */
uint16_t outsider_port(void);
/* Waits until somebody does, for `seconds` at most; else the test ends with what is in the log. */
void outsider_await(uint16_t port, double seconds, const char *log);
