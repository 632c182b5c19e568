/* The daemon, and with it the certification interface. For tests only. */
#include "daemon/process.h"
#include "tests/certification/certification.h"

int main(int argc, char **argv)
{
	return process_main(argc, argv, &certification);
}
