unit_test(payload payload)
