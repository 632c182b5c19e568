/*
 * The built-in provider `simulated`: answers that follow from the messages and the seed alone,
 * after a settable latency and with settable faults, and without any I/O. Its calls go through
 * admission, retries and waits like those of an endpoint.
 */
#pragma once

struct backend;

/* Answers what is due, a bounded number at once. */
void simulated_run(struct backend *backend);
