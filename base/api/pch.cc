// Carries the precompiled base/api/pch.h; has no code of its own.
