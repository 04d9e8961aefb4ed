package klamm.compat;
final class ConfigChecks { static void run(Suite suite) { } }
