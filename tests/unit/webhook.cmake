unit_test(payload payload)
unit_test(message chat)
