#pragma once
// base/api/pch.h and GoogleTest, parsed once for the tests that say so (squall_test(... PARSED_API)).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/api/pch.h"
