/* The daemon, and with it the certification interface. For tests only. */
#include "daemon/daemon.h"
#include "tests/certification/certification.h"

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &certification);
}
