/* elluminate web: the daemon's status page in a browser. */
#pragma once

struct cli;

int command_web(struct cli *cli);
