/* The line that `systemctl status` shows: how many tasks run and wait. It follows their numbers, a
 * second behind, so that many changes are one line. */
#pragma once

struct service;
struct status_line;

/* Shows the first line. */
int status_line_new(struct service *service, struct status_line **ret_line);
struct status_line *status_line_free(struct status_line *line);
/* Each turn of the service's loop. Accepts NULL. */
void status_line_follow(struct status_line *line);
