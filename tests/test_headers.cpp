// Stands for the precompiled headers of all test programs; has no test of its own.
