/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The request that this thread sends to a server. */

#include "proxy/mb_proxy.h"

__thread mb_exchange mb_now;
