unit_test(payload payload)
unit_test(message chat)
unit_test(inbound chat store)
unit_test(receive webhook store)
