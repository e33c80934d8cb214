// Half of the instructions from exec to serving were protobuf's: before main, each generated file
// hands its descriptor to a table of them that parses it whole, a hundred files, for reflection
// that most runs of the server never ask for. squall-server is linked so that these constructors
// are this function instead (-Wl,--wrap, CMakeLists.txt). Nothing is lost by it: a message that is
// asked for its descriptor registers its file and what that imports (AssignDescriptors), and
// api::Pool() does so for all that is looked up by name.
//
// Registering is not safe beside other threads' use of the pool. In squall-server only the server's
// thread handles messages once it runs; this is no file for a library.

namespace google::protobuf::internal {
struct DescriptorTable;
}  // namespace google::protobuf::internal

// AddDescriptorsRunner::AddDescriptorsRunner(const DescriptorTable*), an object without members.
extern "C" void
__wrap__ZN6google8protobuf8internal20AddDescriptorsRunnerC1EPKNS1_15DescriptorTableE(  // NOLINT
    void* /*runner*/, const google::protobuf::internal::DescriptorTable* /*table*/);
extern "C" void
__wrap__ZN6google8protobuf8internal20AddDescriptorsRunnerC1EPKNS1_15DescriptorTableE(  // NOLINT
    void* /*runner*/, const google::protobuf::internal::DescriptorTable* /*table*/) {}
