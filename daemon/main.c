#include <stddef.h>

#include "daemon/process.h"

int main(int argc, char **argv)
{
	return process_main(argc, argv, /* raw= */ NULL);
}
