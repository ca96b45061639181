#pragma once
#include <rfb/rfb.h>
#include <rfb/rfbregion.h>
#include <rfb/keysym.h>
