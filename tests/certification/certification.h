/*
 * org.varlink.certification: the protocol's own test of a server, answered on raw JSON, since
 * its types need what our own interface avoids.
 */
#pragma once

#include "daemon/front/front.h"

extern const struct raw_interface certification;
