package klamm.compat;
final class GroupChecks { static void run(Suite suite) { } }
