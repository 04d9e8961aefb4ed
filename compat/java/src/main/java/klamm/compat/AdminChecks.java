package klamm.compat;
final class AdminChecks { static void run(Suite suite) { } }
